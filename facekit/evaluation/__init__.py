"""Measures of attributes, of verification and of calibration, with their uncertainty."""
