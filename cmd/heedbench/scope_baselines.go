package main

func (p *deployment) baselines() []system { return nil }
