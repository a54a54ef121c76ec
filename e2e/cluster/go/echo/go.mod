module chimera.test/echo

go 1.26.0
