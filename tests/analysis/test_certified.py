"""Mean and sd of NIST's univariate sets (Statistical Reference Datasets), to the certified digits."""

import math
from decimal import Decimal, localcontext

import pandas as pd
import pytest

from analysis.noise import noise
from analysis.verdict import Plan, judge

DIGITS = 5e-15
"""Relative; the certified values have fifteen digits."""

LOTTERY = """
162 671 933 414 788 730 817 33 536 875 670 236 473 167 877 980 316 950 456 92 517 557 956 954 104
178 794 278 147 773 437 435 502 610 582 780 689 562 964 791 28 97 848 281 858 538 660 972 671 613
867 448 738 966 139 636 847 659 754 243 122 455 195 968 793 59 730 361 574 522 97 762 431 158 429
414 22 629 788 999 187 215 810 782 47 34 108 986 25 644 829 630 315 567 919 331 207 412 242 607 668
944 749 168 864 442 533 805 372 63 458 777 416 340 436 140 919 350 510 572 905 900 85 389 473 758
444 169 625 692 140 897 672 288 312 860 724 226 884 508 976 741 476 417 831 15 318 432 241 114 799
955 833 358 935 146 630 830 440 642 356 373 271 715 367 393 190 669 8 861 108 795 269 590 326 866
64 523 862 840 219 382 998 4 628 305 747 247 34 747 729 645 856 974 24 568 24 694 608 480 410 729
947 293 53 930 223 203 677 227 62 455 387 318 562 242 428 968"""

LEW = """
-213 -564 -35 -15 141 115 -420 -360 203 -338 -431 194 -220 -513 154 -125 -559 92 -21 -579 -52 99
-543 -175 162 -457 -346 204 -300 -474 164 -107 -572 -8 83 -541 -224 180 -420 -374 201 -236 -531 83
27 -564 -112 131 -507 -254 199 -311 -495 143 -46 -579 -90 136 -472 -338 202 -287 -477 169 -124 -568
17 48 -568 -135 162 -430 -422 172 -74 -577 -13 92 -534 -243 194 -355 -465 156 -81 -578 -64 139 -449
-384 193 -198 -538 110 -44 -577 -6 66 -552 -164 161 -460 -344 205 -281 -504 134 -28 -576 -118 156
-437 -381 200 -220 -540 83 11 -568 -160 172 -414 -408 188 -125 -572 -32 139 -492 -321 205 -262 -504
142 -83 -574 0 48 -571 -106 137 -501 -266 190 -391 -406 194 -186 -553 83 -13 -577 -49 103 -515 -280
201 300 -506 131 -45 -578 -80 138 -462 -361 201 -211 -554 32 74 -533 -235 187 -372 -442 182 -147
-566 25 68 -535 -244 194 -351 -463 174 -125 -570 15 72 -550 -190 172 -424 -385 198 -218 -536 96"""

MAVRO = """
180 170 180 190 180 170 150 140 150 150 170 180 180 190 190 210 200 160 140 130 130 150 150 160 150
140 130 140 150 140 150 160 150 160 190 200 200 210 220 230 240 250 270 260 260 260 270 260 250 240"""

# Michelson's speed of light of 1879: km/s, less 299000 (R's `morley`).
MICHELSO = """
850 740 900 1070 930 850 950 980 980 880 1000 980 930 650 760 810 1000 1000 960 960 960 940 960 940
880 800 850 880 900 840 830 790 810 880 880 830 800 790 760 800 880 880 880 860 720 720 620 860 970
950 880 910 850 870 840 840 850 840 840 840 890 810 810 820 800 770 760 740 750 760 910 920 890 860
880 720 840 850 850 780 890 840 780 810 760 810 790 810 820 850 870 870 810 740 810 940 950 800 810
870"""


def pi_digits(count: int) -> list[float]:
    """3, 1, 4, 1, 5, ... by Machin's formula, with ten digits to spare."""
    with localcontext(prec=count + 10):

        def arctan_of_inverse(x: int) -> Decimal:
            total, power = Decimal(0), Decimal(1) / x
            for k in range(count):
                total += power / (2 * k + 1)
                power /= -x * x
            return total

        pi = 4 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239))
        return [float(digit) for digit in str(pi).replace(".", "")[:count]]


def pi_as_certified() -> list[float]:
    digits = pi_digits(5000)
    digits[956] = 3.0  # pi has an 8 there; NIST's file, and so its certified values, a 3
    return digits


def numbers(text: str) -> list[float]:
    return [float(word) for word in text.split()]


def alternating(centre: str) -> list[float]:
    """NumAcc2 to 4: a value in tenths, then a tenth below and a tenth above it in turns."""
    tenth = int(centre[-1])
    around = [float(f"{centre[:-1]}{tenth - 1}"), float(f"{centre[:-1]}{tenth + 1}")]
    return [float(centre)] + 500 * around


SETS = {  # values, certified mean, certified sd
    "PiDigits": (pi_as_certified(), 4.53480000000000, 2.86733906028871),
    "Lottery": (numbers(LOTTERY), 518.958715596330, 291.699727470969),
    "Lew": (numbers(LEW), -177.435000000000, 277.332168044316),
    "Mavro": ([float(f"2.00{w}") for w in MAVRO.split()], 2.00185600000000, 0.000429123454003053),
    "Michelso": (
        [float(f"{(299000 + int(w)) / 1000:.2f}") for w in MICHELSO.split()],
        299.852400000000,
        0.0790105478190518,
    ),
    "NumAcc1": ([10000001.0, 10000003.0, 10000002.0], 10000002.0, 1.0),
    "NumAcc2": (alternating("1.2"), 1.2, 0.1),
    "NumAcc3": (alternating("1000000.2"), 1000000.2, 0.1),
    "NumAcc4": (alternating("10000000.2"), 10000000.2, 0.1),
}


@pytest.mark.parametrize("name", SETS)
def test_noise_has_the_certified_mean_and_sd(name: str) -> None:
    values, mean, sd = SETS[name]
    found = noise(values)
    assert found.n == len(values)
    assert found.mean == pytest.approx(mean, rel=DIGITS, abs=0)
    assert found.sd == pytest.approx(sd, rel=DIGITS, abs=0)


@pytest.mark.parametrize("offset", [0, 10**6, 10**9, 10**11])
def test_a_verdict_does_not_depend_on_the_level_of_losses_of_fifteen_digits(offset: int) -> None:
    thousandths = {"baseline": (412, 398, 405, 421), "arm": (392, 377, 386, 400)}
    rows = [
        {"arm": arm, "seed": seed, "loss": float(f"{offset}.{loss}"), "status": "done"}
        for arm, losses in thousandths.items()
        for seed, loss in enumerate(losses)
    ]
    judgement = judge(pd.DataFrame(rows), Plan(arms=("arm",), smallest_effect=0.0))
    row = judgement["arm"]
    # Differences -0.020, -0.021, -0.019, -0.021: mean -0.02025, sd sqrt(11 / 12) / 1000.
    error = math.sqrt(11 / 12) / 1000 / 2
    assert row.effect == pytest.approx(-0.02025, rel=1e-12)
    assert row.ci_high - row.ci_low == pytest.approx(2 * 3.182446305284263 * error, rel=1e-9)
    assert row.verdict == "better"
    assert judgement.noise.sd == pytest.approx(0.009831920802501748, rel=1e-9)


@pytest.mark.parametrize("offset", [0, 10**6, 10**11])
def test_an_unpaired_verdict_does_not_depend_on_the_level_of_the_losses(offset: int) -> None:
    thousandths = {
        "baseline": (412, 398, 405, 405),
        "arm": (392, 377, 386, 385),
        "single": (390,),
    }
    rows = [
        {"arm": arm, "seed": f"{arm} {seed}", "loss": float(f"{offset}.{loss}"), "status": "done"}
        for arm, losses in thousandths.items()
        for seed, loss in enumerate(losses)
    ]
    judgement = judge(pd.DataFrame(rows), Plan(arms=("arm", "single"), smallest_effect=0.0))
    arm, single = judgement["arm"], judgement["single"]
    # Means 0.405 and 0.385, variances 98e-6 / 3 and 114e-6 / 3: t = -0.02 / sqrt(212e-6 / 12).
    assert (arm.method, arm.effect) == ("Welch t", pytest.approx(-0.02, rel=1e-11))
    assert (arm.effect - arm.ci_low) == pytest.approx(0.010299011939, abs=5e-12)
    assert (single.method, single.effect) == ("prediction t", pytest.approx(-0.015, rel=1e-11))
