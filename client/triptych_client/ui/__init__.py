"""A page in the browser to try it on: drop a clip or record one, and see the report. Gradio, the extra `ui`."""
