"""The named datasets: their origin, size and licence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from llmrank.errors import InputError, nearest


@dataclass(frozen=True, slots=True)
class Archive:
    """A zip file: the official one (`url`), or a wheel on the package index (`requirement`)."""

    members: Mapping[str, str]
    """Path in the archive -> name of the extracted file."""
    url: str = ""
    requirement: str = ""
    known_hash: str | None = None
    """The publisher's hash of the archive: `md5:…` or a sha256."""

    def __str__(self) -> str:
        return self.url or f"{self.requirement} on the package index"


@dataclass(frozen=True, slots=True)
class Files:
    """Single files under one base URL."""

    base: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.base} ({', '.join(self.names)})"


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """A named dataset."""

    name: str
    title: str
    users: int
    items: int
    """Items with at least one interaction."""
    interactions: int
    rating_scale: tuple[float, float]
    origins: tuple[Archive | Files, ...]
    """Tried in this order."""
    licence: str
    source: str
    sha256: Mapping[str, str] = field(default_factory=dict[str, str])
    """File name -> sha256, where known."""
    folders: tuple[str, ...] = ()
    """Alternative names of its folder."""
    domain: str = "movies"
    """What its items are: `movies`, `books`, `products`, `games`, …"""


def _amazon(name: str, category: str, users: int, items: int, interactions: int) -> DatasetInfo:
    files = (f"reviews_{category}_5.json.gz", f"meta_{category}.json.gz")
    return DatasetInfo(
        name,
        f"Amazon Reviews 2014, {category}, 5-core",
        users,
        items,
        interactions,
        (1.0, 5.0),
        (
            Files("https://mcauleylab.ucsd.edu/public_datasets/data/amazon/categoryFiles", files),
            Files("https://snap.stanford.edu/data/amazon/productGraph/categoryFiles", files),
        ),
        "offered for research; no formal licence. J. McAuley et al., SIGIR 2015",
        "J. McAuley, UCSD. jmcauley.ucsd.edu/data/amazon",
        folders=(f"amazon-{name}-5core", f"amazon-{name}", category),
        domain="books" if category == "Books" else "products",
    )


def _movielens(
    name: str,
    title: str,
    sizes: tuple[int, int, int],
    scale: tuple[float, float],
    files: tuple[str, ...],
    sha256: Mapping[str, str],
    *,
    known_hash: str | None = None,
    others: tuple[Archive, ...] = (),
    licence: str = "research only; no redistribution, no commercial use without permission (GroupLens README)",
) -> DatasetInfo:
    url = f"https://files.grouplens.org/datasets/movielens/{name}.zip"
    official = Archive({f"{name}/{file}": file for file in files}, url=url, known_hash=known_hash)
    source = "F. M. Harper, J. A. Konstan. The MovieLens Datasets. ACM TiiS 5(4), 2015. grouplens.org"
    return DatasetInfo(name, title, *sizes, scale, (official, *others), licence, source, sha256)


_ALL = (
    _movielens(
        "ml-100k",
        "MovieLens 100K (1998)",
        (943, 1682, 100_000),
        (1.0, 5.0),
        ("u.data", "u.item", "README"),
        {
            "u.data": "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490",
            "u.item": "553841ebc7de3a0fd0d6b62a204ea30c1e651aacfb2814c7a6584ac52f2c5701",
            "ml-100k.inter": "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
            "ml-100k.item": "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
        },
        known_hash="md5:0e33842e24a9c977be4e0107933c0723",
        others=(
            Archive(
                {f"recbole/dataset_example/ml-100k/{name}": name for name in ("ml-100k.inter", "ml-100k.item")},
                requirement="recbole==1.2.1",
                known_hash="9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
            ),
        ),
    ),
    _movielens(
        "ml-1m",
        "MovieLens 1M (2003)",
        (6040, 3706, 1_000_209),
        (1.0, 5.0),
        ("movies.dat", "ratings.dat", "README"),
        {"movies.dat": "0140fc2356357c1a851d0f52e893a1e4d3696df632c4141cea8d5bc3d621f0b9"},
        known_hash="md5:c4d9eecfca2ab87c1945afe126590906",
    ),
    _movielens(
        "ml-latest-small",
        "MovieLens latest small (2018-09)",
        (610, 9724, 100_836),
        (0.5, 5.0),
        ("movies.csv", "ratings.csv", "README.txt"),
        {
            "movies.csv": "5a5f32dd9bb3797b8e728a1b98958789d2b13f294a69fdfbc5727f8a9611aa07",
            "ratings.csv": "aa289ca83157595d0df6aea1be6a4ded676ddc4385472e8313a8ed9805352646",
        },
        licence="research; redistribution under the same terms; no commercial use without permission (README)",
    ),
    _amazon("beauty", "Beauty", 22_363, 12_101, 198_502),
    _amazon("books", "Books", 603_668, 367_982, 8_898_041),
)
DATASETS: Mapping[str, DatasetInfo] = MappingProxyType({known.name: known for known in _ALL})


def dataset_info(name: str) -> DatasetInfo:
    """Return the dataset called `name`. Raises InputError: it is unknown; the hint suggests the nearest name."""
    if name not in DATASETS:
        hint = f"name one of {', '.join(DATASETS)}, an existing folder, or hf:owner/name{nearest(name, DATASETS)}"
        raise InputError(f"no dataset or folder is called {name!r}", hint=hint)
    return DATASETS[name]
