// Package check says whether an answer followed a rule, and whether a text may
// become one.
//
// Start with [Instruction], which finds what a person's comment tells the agent
// to do, [Safety], which says why a text must not become a rule, and [Compile],
// which makes checks ([Spec]) of an action where it is of a checkable kind.
// [Conflict] and [SameAction] compare two actions.
//
// Everything here is pure and deterministic, safe for concurrent use, never
// panics, and takes time linear in its input. It promises little about meaning:
// where wording does not decide, Instruction finds nothing and Compile makes no
// check, because no check is better than a wrong one.
package check
