"""Reference data: sampling and labelling with electronic-structure engines."""
