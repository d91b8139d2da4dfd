package rules

// Choose picks the unit's target among the shares of a policy, or of the
// configuration, by weight; it returns its index and the probability with which
// it was chosen. The unit keeps its target as long as the shares stay, and when
// they change only the units in the moved part of the line change theirs. It
// returns -1 when no share has a weight above 0.
func Choose(shares []Share, alias, unit string) (int, float64) {
	var total float64
	for _, s := range shares {
		total += max(0, s.Weight)
	}
	if total <= 0 {
		return -1, 0
	}
	left, last := Point("target", alias, unit)*total, -1
	for i, s := range shares {
		if s.Weight <= 0 {
			continue
		}
		last = i
		if left < s.Weight {
			break
		}
		left -= s.Weight
	}
	return last, shares[last].Weight / total
}
