"""Triton adapter: the utterances of a clip -> token ids for the text model. See triptych/words/text.py."""

from functools import partial
from pathlib import Path

from tokenizers import Tokenizer

from triptych.serving import adapter, settings
from triptych.words import text


class TritonPythonModel:
    """Tokenizes the utterances of one clip a request."""

    def initialize(self, args):
        folder = Path(args["model_repository"]) / args["model_version"]
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.prefix = settings.read_text(folder, text.PREFIX_SETTING)

    def execute(self, requests):
        return adapter.each(requests, "text_tokens", self.tokens, partial(self.outputs, []))

    def tokens(self, utterances):
        return self.outputs(text.texts(utterances))

    def outputs(self, texts):
        """Return the step's tensors; without texts, those of a blank one."""
        ids, mask = text.tokenize(self.tokenizer, texts, self.prefix)
        return {"INPUT_IDS": ids, "ATTENTION_MASK": mask}
