"""What goes with the samples: text, pictures, chapters, marks, and the containers' own chunks."""
