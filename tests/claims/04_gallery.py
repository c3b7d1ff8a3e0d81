claim("twelve recognised: first for the second network", first, lambda n: n >= 11)
claim("twelve recognised: least second opinion", min(one.probability for one in opinions), lambda p: p > 0.3)
