"""Pictures as people send them: what a file is, and the colours that it shows.

`headers` says what an upload is without decoding it, and is all that the API loads; `decoding`
makes upright 8-bit sRGB of it. What each kind of file may hold is listed in `docs/pictures.md`.
"""
