"""What an entry of a Bundle says: a resource, that one was deleted, or neither.

Bulk exports list deleted resources as Bundles of the type transaction whose entries ask for ``DELETE``
(hl7.org/fhir/uv/bulkdata/export.html); so do the Bundles of a history (hl7.org/fhir/R4/http.html#history).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

DELETED = "deleted"
"""Code of the tag (``meta.tag``) of a resource that was deleted; of those that are made here, and of those that come with it."""
TAGS = "https://fairhaven/deleted"
_KIND = re.compile(r"[A-Z][A-Za-z]{1,60}")
_ID = re.compile(r"[A-Za-z0-9][^\s?#$&=]*")
_ETAG = re.compile(r'(?:W/)?"?([^"]+)"?')


def entries_of(bundle: Mapping[str, Any]) -> list[Any]:
    """The entries of a Bundle; what is no list stands for one entry, so that it is not passed over."""
    entries = bundle.get("entry")
    return entries if isinstance(entries, list) else [] if entries is None else [entries]


def said_by(entry: Any, bundle: Mapping[str, Any]) -> Any:
    """The resource of an entry, with what its response says of the version; of one that is deleted its type, id and version, with
    the tag *deleted*; otherwise the entry itself, which is no resource."""
    if not isinstance(entry, dict):
        return entry
    resource = entry.get("resource")
    request = _object(entry.get("request"))
    if str(request.get("method", "")).strip().upper() == "DELETE":
        return _deleted(entry, request, bundle) or {key: value for key, value in entry.items() if key != "resource"}
    if resource in (None, {}):
        return entry
    if isinstance(resource, dict):
        _fill(resource, _object(entry.get("response")))
    return resource


def _deleted(entry: Mapping[str, Any], request: Mapping[str, Any], bundle: Mapping[str, Any]) -> dict[str, Any] | None:
    """The resource that a DELETE names; None where that is a search, or no one resource."""
    found = next(_named(request.get("url"), entry.get("fullUrl"), entry.get("resource")), None)
    if found is None:
        return None
    kind, name, version = found
    response = _object(entry.get("response"))
    meta = {"tag": [{"system": TAGS, "code": DELETED}], **({"versionId": version} if version else {})}
    resource = {"resourceType": kind, "id": name, "meta": meta}
    _fill(resource, response)
    # A history may be asked for long after what it tells; other Bundles tell how things stand.
    if bundle.get("type") != "history":
        when = _object(bundle.get("meta")).get("lastUpdated") or bundle.get("timestamp")
        if isinstance(when, str):
            meta.setdefault("lastUpdated", when)
    return resource


def _named(url: Any, full_url: Any, resource: Any) -> Iterator[tuple[str, str, str]]:
    """(type, id, version) as one place after another says them; nothing where the request is for something else."""
    if isinstance(url, str) and url.strip():
        if not url.strip().startswith("urn:"):
            yield from _of_url(url)
            return
    elif isinstance(full_url, str):
        yield from _of_url(full_url)
    if isinstance(resource, dict):
        kind, name = resource.get("resourceType"), resource.get("id")
        if isinstance(kind, str) and isinstance(name, str) and _KIND.fullmatch(kind) and name:
            yield kind, name, ""


def _of_url(url: str) -> Iterator[tuple[str, str, str]]:
    written = url.strip()
    if "?" in written or "$" in written:
        return
    parts = [unquote(part) for part in written.partition("#")[0].split("/") if part]
    version = ""
    if len(parts) > 1 and parts[-2] == "_history":
        *parts, _, version = parts
    if len(parts) > 1 and _KIND.fullmatch(parts[-2]) and _ID.fullmatch(parts[-1]):
        yield parts[-2], parts[-1], version


def _fill(resource: dict[str, Any], response: Mapping[str, Any]) -> None:
    """Put into a resource's ``meta`` what only the entry's response says of its version."""
    meta = resource.setdefault("meta", {}) if response else resource.get("meta")
    if not isinstance(meta, dict):
        return
    modified, etag = response.get("lastModified"), response.get("etag")
    if isinstance(modified, str):
        meta.setdefault("lastUpdated", modified)
    if isinstance(etag, str) and (match := _ETAG.fullmatch(etag.strip())):
        meta.setdefault("versionId", match[1])


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
