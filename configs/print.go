package configs

import "github.com/goccy/go-yaml"

// Print is the configuration as YAML with every default filled in and without
// its secrets.
func (c *Config) Print() (string, error) {
	b, err := yaml.Marshal(c)
	return string(b), err
}
