"""How far one server goes, and several: bench/scale.py."""
