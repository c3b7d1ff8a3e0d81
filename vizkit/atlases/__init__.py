"""Every class: the atlas of a network, made by many processes, in a folder that anybody can open."""
