"""Where examples come from: packages, plug-ins, tables, folders, archives of series, data sets of PyTorch."""
