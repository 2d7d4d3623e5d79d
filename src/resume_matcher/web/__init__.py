"""The pages and the JSON API of the application, in one site with heller's portal and sign-in."""
