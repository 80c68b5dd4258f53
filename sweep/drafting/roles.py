"""The part that a flag plays, told by its name: a seed, an output, a setting of the machine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum, auto

from sweep.metrics.names import words_of_name


class Role(Enum):
    """The parts that a flag can play."""

    SEED = auto()
    FOLDER = auto()
    """A folder that the script writes to."""
    FILE = auto()
    """A file that the script writes."""
    FIXED = auto()
    """It changes no result, or it names data: it stays as it was typed."""
    PARAMETER = auto()


_FOLDERS = (
    "outdir outputdir outputpath savedir savepath logdir loggingdir rundir resultsdir resultdir "
    "checkpointdir ckptdir expdir experimentdir defaultrootdir hydrarundir modeldir outputfolder "
    "savefolder"
)
_FILES = "out output outfile outputfile save savefile metricsfile resultsfile resultfile logfile"
_FIXED = (
    "device gpu gpus cuda usecuda nocuda accelerator backend numworkers workers nworkers "
    "dataloadernumworkers pinmemory prefetch localrank rank worldsize numprocesses nprocpernode "
    "masterport masteraddr port verbose verbosity quiet debug loglevel loginterval logevery logfreq "
    "loggingsteps printevery printfreq progress nprogress tqdm wandb usewandb wandblog wandbproject "
    "wandbentity wandbrunname wandbname project entity runname expname experimentname name tags "
    "reportto tensorboard comet mlflow compile resume resumefrom saveevery saveinterval savesteps "
    "savetotallimit savestrategy alwayssavecheckpoint datadir datapath dataroot datafolder cachedir "
    "config configfile configname configpath cfg evalonly dotrain doeval dopredict "
    "overwriteoutputdir evalinterval evalevery evalsteps evaliters evalstrategy evaluationstrategy"
)
_ROLES = {
    **dict.fromkeys(_FIXED.split(), Role.FIXED),
    **dict.fromkeys(_FILES.split(), Role.FILE),
    **dict.fromkeys(_FOLDERS.split(), Role.FOLDER),
}
_SEED_WORDS = frozenset({"seed", "seeds"})
_SEED_NAMES = frozenset({"randomstate", "rngseed", "randseed", "myseed", "seedeverything"})
_STREAMS = {
    **dict.fromkeys(("init", "model", "weights", "net"), "init"),
    **dict.fromkeys(("data", "order", "shuffle", "split", "sampler", "loader"), "data"),
    "dropout": "dropout",
}
"""The stream of random numbers that a word beside `seed` tells."""


def role_of(flag: str) -> Role:
    """The part that a flag plays."""
    joined = re.sub(r"[^a-z0-9]", "", flag.lower())
    last = re.sub(r"[^a-z0-9]", "", flag.lower().rpartition(".")[2])
    words = words_of_name(flag)
    if last in _SEED_NAMES or (words and words[-1] in _SEED_WORDS) or words[:1] == ["seed"]:
        return Role.SEED
    if words[:1] == ["wandb"]:
        return Role.FIXED
    return _ROLES.get(joined) or _ROLES.get(last) or Role.PARAMETER


def streams_of(flags: Sequence[str]) -> dict[str, str]:
    """The stream of random numbers that each seed is for: `data` for `--data-seed`.

    It is `seed` for each if there is only one, or if their names do not tell one stream for each.
    """
    told = {
        flag: next((_STREAMS[word] for word in words_of_name(flag) if word in _STREAMS), "")
        for flag in flags
    }
    streams = set(told.values())
    if len(told) > 1 and "" not in streams and len(streams) == len(told):
        return told
    return dict.fromkeys(flags, "seed")
