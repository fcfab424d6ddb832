"""What a clip costs as it grows: in length, in faces, in people, in those who ask at once, in answers given before."""
