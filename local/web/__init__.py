"""The page of `k2l web`: a digit drawn, a picture dropped or a camera's frame, read in the browser.

answers     what each file of a network says of a picture, and how long it takes: no page, no server
cards       the same as HTML
examples    pictures to try it on
page        the parts of the page and what they call, in Gradio
serving     the page on a port
"""
