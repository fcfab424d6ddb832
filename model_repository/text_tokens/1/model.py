"""Triton adapter: the utterances of a clip -> token ids for the text model. See triptych/words/text.py."""

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
        return adapter.each(requests, "text_tokens", self.tokens)

    def tokens(self, utterances):
        ids, mask = text.tokenize(self.tokenizer, text.texts(utterances))
        return {"INPUT_IDS": ids, "ATTENTION_MASK": mask}
