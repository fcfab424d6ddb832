"""The encoder that the words channel starts from: the catalogue's, or a published one, which is kept when trained."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

from export import catalog, checkpoint, fetch
from networks import pretrained
from networks.words import adapters, e5, tokens, trained
from networks.words.adapters import Words
from networks.words.origin import HEAD
from networks.words.trained import Encoder
from triptych.files import write_atomically, writing
from triptych.paths import CACHE


def start(init: str | None) -> tuple[Encoder, Tokenizer]:
    """Return encoder and tokenizer of `init` (`hub:NAME` or `dir:PATH`), or multilingual-e5-small of the catalogue.

    TriptychError when nothing can be loaded from there, or it is another kind of model.
    """
    if init is None:
        source = fetch.fetch(catalog.load()[trained.ENCODER], CACHE)
        return e5.load_encoder(source), e5.load_tokenizer(source)
    folder = checkpoint.fetch(init)
    encoder = pretrained.start(trained.encoder_class(folder), folder, add_pooling_layer=False)
    return encoder.eval(), tokens.load_published(folder)


def describe(init: str | None) -> tuple[str, str]:
    """Return title and licence of the encoder; a folder's title is its name."""
    if init is None:
        entry = catalog.load()[trained.ENCODER]
        return entry.title, entry.licence
    kind, _, name = init.partition(":")
    title = name if kind == "hub" else Path(name).name
    return title, checkpoint.licence(checkpoint.fetch(init))


def keep(encoder: Encoder, tokenizer: Tokenizer, words: Words, folder: Path) -> None:
    """Write a merged encoder, its tokenizer and the head as a checkpoint, for `triptych export --source`."""
    with writing(folder):
        encoder.save_pretrained(folder)
    write_atomically(folder / tokens.FILE, lambda path: tokenizer.save(str(path)))
    adapters.save(words.without_adapters(), folder / HEAD)
