"""What the browser draws and sends: a Python and a JavaScript file for each component."""
