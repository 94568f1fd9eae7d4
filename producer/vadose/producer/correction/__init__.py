"""The parts of the correction of satellite soil moisture by stations (MLSTM)."""
