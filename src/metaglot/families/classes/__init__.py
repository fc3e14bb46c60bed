"""What only classes have: a border around them, reasons for a class, an expected accuracy."""
