written 7
