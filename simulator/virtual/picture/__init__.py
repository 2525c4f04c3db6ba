"""A seed as a page that people read: the drawing, the page around it, the narrative beside it."""
