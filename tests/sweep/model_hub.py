"""A hub on this machine that takes models and collections, as `huggingface_hub` sends them.

Uploaded models lie in `FOLDER/OWNER/NAME/`, and collections in `FOLDER/collections.json`. Large files
come by git-lfs's protocol with the transfer `basic`; clients need HF_HUB_DISABLE_XET=1.
"""

from __future__ import annotations

import base64
import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.trainer.fake_hub import COMMIT, Hub

TOKEN, OWNER = "hf_good", "me"
FULL = "full"
"""Models whose names contain this are refused: their owner has no space left."""
MAX_DESCRIPTION = 150
Json = dict[str, Any]


class ModelHub(Hub):
    """The end points that `HfApi` uses to upload a folder and to fill a collection."""

    def do_GET(self) -> None:  # noqa: N802  (the server's name for it)
        if self._is_stranger():
            return
        if self.path == "/api/whoami-v2":
            self._json(
                {"type": "user", "name": OWNER, "orgs": [], "auth": {"type": "access_token"}}
            )
        elif found := re.fullmatch("/api/collections/(.+)", self.path):
            self._json(self._collections()[found[1]])
        else:
            super().do_GET()

    def do_POST(self) -> None:  # noqa: N802  (the server's name for it)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self._is_stranger():
            return
        path = self.path.partition("?")[0]
        if path == "/api/repos/create":
            self._create_repository(json.loads(body))
        elif path == "/api/validate-yaml":
            self._json({"errors": [], "warnings": []})
        elif found := re.fullmatch("/api/models/(.+)/preupload/main", path):
            self._json({"files": [_upload_mode(each) for each in json.loads(body)["files"]]})
        elif found := re.fullmatch("/(.+).git/info/lfs/objects/batch", path):
            self._json(self._batch(json.loads(body)))
        elif found := re.fullmatch("/api/models/(.+)/commit/main", path):
            self._commit(self._folder / found[1], [json.loads(each) for each in body.splitlines()])
        elif path == "/api/collections":
            self._create_collection(json.loads(body))
        elif found := re.fullmatch("/api/collections/(.+)/items", path):
            self._add_item(found[1], json.loads(body)["item"])
        else:
            self._refuse(404, "EntryNotFound")

    def do_PUT(self) -> None:  # noqa: N802  (the server's name for it)
        """Take a large file; the address has its hash."""
        content = self.rfile.read(int(self.headers["Content-Length"]))
        name = self.path.rpartition("/")[2]
        assert sha256(content).hexdigest() == name
        self._large(name).parent.mkdir(exist_ok=True)
        self._large(name).write_bytes(content)
        self._json({})

    def _is_stranger(self) -> bool:
        if self.headers.get("authorization") == f"Bearer {TOKEN}":
            return False
        self._refuse(401, "Unauthorized")
        return True

    def _large(self, name: str) -> Path:
        return self._folder / "large" / name

    def _address(self) -> str:
        return f"http://{self.headers['Host']}"

    def _create_repository(self, wanted: Json) -> None:
        name = f"{wanted.get('organization') or OWNER}/{wanted['name']}"
        folder = self._folder / name
        made = json.dumps({"url": f"{self._address()}/{name}", "name": name}).encode()
        status = 409 if folder.is_dir() else 200
        folder.mkdir(parents=True, exist_ok=True)
        self._answer(status, made, {"Content-Type": "application/json"})

    def _batch(self, wanted: Json) -> Json:
        assert wanted["operation"] == "upload"
        assert "basic" in wanted["transfers"]
        objects = [
            {**each, "actions": {"upload": {"href": f"{self._address()}/large/{each['oid']}"}}}
            for each in wanted["objects"]
        ]
        return {"transfer": "basic", "objects": objects}

    def _commit(self, folder: Path, lines: list[Json]) -> None:
        if FULL in folder.name:
            return self._refuse(403, "StorageLimitReached")
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                assert value["encoding"] == "base64"
                (folder / value["path"]).write_bytes(base64.b64decode(value["content"]))
            elif line["key"] == "lfsFile":
                (folder / value["path"]).write_bytes(self._large(value["oid"]).read_bytes())
        url = f"{self._address()}/{folder.parent.name}/{folder.name}/commit/{COMMIT}"
        return self._json({"success": True, "commitOid": COMMIT, "commitUrl": url})

    def _collections(self) -> Json:
        file = self._folder / "collections.json"
        return dict(json.loads(file.read_bytes())) if file.exists() else {}

    def _save(self, collections: Json) -> None:
        (self._folder / "collections.json").write_text(json.dumps(collections))

    def _create_collection(self, wanted: Json) -> None:
        if len(wanted.get("description", "")) > MAX_DESCRIPTION:
            return self._refuse(400, "BadRequest")
        slug = f"{wanted['namespace']}/{wanted['title'].lower()}-{'0' * 24}"
        collections = self._collections()
        status = 409 if slug in collections else 200
        if status == 200:
            collections[slug] = {
                "slug": slug,
                "title": wanted["title"],
                "owner": wanted["namespace"],
                "items": [],
                "lastUpdated": "2026-01-01T00:00:00.000Z",
                "position": 0,
                "theme": "green",
                "private": False,
                "upvotes": 0,
                "description": wanted["description"],
            }
            self._save(collections)
        made = json.dumps(collections[slug]).encode()
        return self._answer(status, made, {"Content-Type": "application/json"})

    def _add_item(self, slug: str, item: Json) -> None:
        collections = self._collections()
        items = collections[slug]["items"]
        if not (self._folder / item["id"]).is_dir():
            return self._refuse(404, "RepoNotFound")
        if item["id"] in [each["id"] for each in items]:
            return self._refuse(409, "AlreadyInCollection")
        place = {"_id": f"{len(items):024}", "position": len(items), "repoType": item["type"]}
        items.append({**item, **place})
        self._save(collections)
        return self._json(collections[slug])


def _upload_mode(file: Json) -> Json:
    is_large = file["path"].endswith(".safetensors")
    mode = "lfs" if is_large else "regular"
    return {"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": None}
