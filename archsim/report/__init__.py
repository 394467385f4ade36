"""Figures and pages made from results; nothing here knows how a result came about."""
