package module

import (
	"fmt"
	"time"

	"flow"
)

type Range struct {
	Low  int8    `json:"low"`
	High float32 `json:"high"`
}

type Reading struct {
	Sensor string    `json:"sensor"`
	Value  float64   `json:"value"`
	Count  int64     `json:"count"`
	Raw    []byte    `json:"raw"`
	At     time.Time `json:"at"`
	More   any       `json:"more"`
	Limits *Range
	Hidden string `json:"-"`
}

type Alert struct {
	Reading
	At    string    `json:"at"` // instead of Reading's, which cannot be sent
	Level string    `json:"level,omitempty"`
	Notes []string  `json:"notes,omitempty"`
	Parts [2]string `json:"parts"`
}

func Run(c *flow.Context, m Reading) (*Alert, error) {
	if m.Value < 40 {
		return nil, nil
	}
	return &Alert{Reading: m, At: m.At.Format(time.RFC3339), Level: "high", Parts: [2]string{m.Sensor, fmt.Sprint(m.Value)}}, nil
}
