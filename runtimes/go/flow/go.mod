module flow

go 1.19
