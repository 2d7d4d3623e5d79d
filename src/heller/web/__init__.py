"""The faces over HTTP: the JSON API, the customers' portal, the operators' console. See the README beside this file."""
