"""The answer as one HTML file that needs no network: a person looks at a clip and understands the answer."""
