"""Words: utterances as a text model reads them."""
