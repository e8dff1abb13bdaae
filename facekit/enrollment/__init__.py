"""Enrolments: a few photos of one person become one neuron with an error rate."""
