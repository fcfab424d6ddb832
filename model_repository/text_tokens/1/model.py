"""Triton adapter: the utterances of a clip -> token ids for the text model. See triptych/words/text.py."""

from functools import partial
from pathlib import Path

from tokenizers import Tokenizer

from triptych.serving import adapter
from triptych.words import text


class TritonPythonModel:
    """Tokenizes the utterances of one clip a request."""

    def initialize(self, args):
        path = Path(args["model_repository"]) / args["model_version"] / "tokenizer.json"
        self.tokenizer = Tokenizer.from_file(str(path))

    def execute(self, requests):
        return adapter.each(requests, "text_tokens", self.tokens, partial(self.outputs, []))

    def tokens(self, utterances):
        return self.outputs(text.texts(utterances))

    def outputs(self, texts):
        """Return the step's tensors; without texts, those of a blank one."""
        ids, mask = text.tokenize(self.tokenizer, texts)
        return {"INPUT_IDS": ids, "ATTENTION_MASK": mask}
