"""CIDs against those that the JavaScript importer of IPFS gives for the same bytes and the flags we send."""

from __future__ import annotations

from hashlib import sha256

import pytest

from domain.launchpad.cids import LARGEST, cid_of


def sample(size: int) -> bytes:
    """SHA-256 of holdfast:0, holdfast:1, … one after the other."""
    return b"".join(sha256(f"holdfast:{n}".encode()).digest() for n in range(size // 32 + 1))[:size]


# ipfs-unixfs-importer 15: cidVersion 1, rawLeaves, reduceSingleLeafToSelf, fixed chunks of 262144, balanced with 174.
VECTORS = {
    0: "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
    1: "bafkreia7dbhrahdh2wc3uagsjt66g2dd65d7xk46qsxxoyhmo4pjwnwkke",
    262_144: "bafkreifj5kkojcoi3h32tmr7cwxj26kiv5h3axao4iv3ksmn3ivfh6clui",
    262_145: "bafybeiblzbiwftm26kng2y5vw5x5xgjowprikaybgmedzuuuyjsqss3gim",
    300_000: "bafybeidx6cuiuqu7fcbmh3b6w2h34aykd2c3a3dsp2ygzs2rbytfs6hpl4",
    524_288: "bafybeicosa5itykxohj5gxxx2cbo47gglqw576b3lo7k5rrlqciyowtnge",
    1_048_577: "bafybeihvmqi23f5l7dutz4nahz4xyhlgt4yse3mbiemcpaappxxxp5bqxq",
    5_242_880: "bafybeif3gupugpirogcgr7jwtbxmrhh5kor7unpk3ket5s67h6vuzegofe",
}


@pytest.mark.parametrize("size", VECTORS)
def test_the_name_is_the_one_ipfs_gives(size: int) -> None:
    assert cid_of(sample(size)) == VECTORS[size]


def test_known_words() -> None:
    assert cid_of(b"hello world") == "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"


def test_more_than_one_level_of_links_is_refused() -> None:
    with pytest.raises(ValueError, match="more than"):
        cid_of(bytes(LARGEST + 1))
