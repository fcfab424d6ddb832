"""Pictures of a clip on the client's side, for reports and annotated copies; PyAV and Pillow, the extra `report`."""
