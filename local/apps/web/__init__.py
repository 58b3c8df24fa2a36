"""The page of `k2l web`: a digit drawn, a picture dropped or a camera's frame, read in the browser.

answers     what each file of a network says of a picture, and how long it takes: no page, no server
cards       the same as HTML
examples    pictures to try it on
page        the parts of the page, as they are sent: page.html, page.css, page.js
reading     the one request that the page sends: a picture's bytes
gate        who may ask, and the headers of every answer
serving     the page on a port
"""
