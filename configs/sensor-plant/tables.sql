CREATE TABLE means (device text, start double precision, count int, mean double precision, min double precision, max double precision, PRIMARY KEY (device, start));
CREATE TABLE alarms (id serial PRIMARY KEY, device text, celsius double precision, at double precision);
