package calibration

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"testing/quick"
)

// taps are what a panel mounted by m reads at the targets, each moved by noise.
func taps(t *testing.T, m Matrix, noise func() float64) []Sample {
	t.Helper()
	inv, ok := m.Invert()
	if !ok {
		t.Fatalf("%v cannot be inverted", m)
	}
	var list []Sample
	for _, target := range Targets {
		list = append(list, Sample{Screen: target, Panel: inv.Apply(Point{target.X + noise(), target.Y + noise()})})
	}
	return list
}

func none() float64 { return 0 }

func TestEveryStraightMountingIsFoundExactly(t *testing.T) {
	for _, e := range Exacts {
		t.Run(e.Name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			for range 200 {
				got, err := Solve(taps(t, e.Matrix, func() float64 { return (r.Float64() - 0.5) * 0.06 }))
				if err != nil || got.Matrix != e.Matrix || got.Name != e.Name || !got.Exact {
					t.Fatalf("got %+v, %v, want %v", got, err, e.Matrix)
				}
			}
		})
	}
}

func TestTheEightAreAGroup(t *testing.T) {
	is := func(m Matrix) bool { return Name(m) != "calibration" }
	for _, a := range Exacts {
		inv, ok := a.Matrix.Invert()
		if !ok || !is(inv.Mul(a.Matrix)) || inv.Mul(a.Matrix) != Identity {
			t.Errorf("%s: %v times its inverse %v is not the identity", a.Name, a.Matrix, inv)
		}
		for _, b := range Exacts {
			if c := a.Matrix.Mul(b.Matrix); !is(c) {
				t.Errorf("%s after %s is %v, which is none of the eight", a.Name, b.Name, c)
			}
		}
	}
}

func TestNamesSayWhatTheMatricesDo(t *testing.T) {
	turn, flip := Exacts[1].Matrix, Exacts[4].Matrix
	want := map[string]Matrix{
		"rotated 180°": turn.Mul(turn), "rotated 270°": turn.Mul(turn).Mul(turn),
		"mirrored, rotated 90°":  turn.Mul(flip),
		"mirrored, rotated 180°": turn.Mul(turn).Mul(flip),
		"mirrored, rotated 270°": turn.Mul(turn).Mul(turn).Mul(flip),
	}
	for name, m := range want {
		if got := Name(m); got != name {
			t.Errorf("%v is called %q, want %q", m, got, name)
		}
	}
}

func TestAnyAffineMountingIsFound(t *testing.T) {
	property := func(a, b, c, d, e, f int8) bool {
		// A straight mounting, scaled, sheared and moved by up to a fifth.
		small := func(n int8) float64 { return float64(n) / 640 }
		m := Exacts[int(uint8(a))%8].Matrix.Mul(Matrix{1 + small(b), small(c), small(d), small(e), 1 + small(f), small(a)})
		got, err := Solve(taps(t, m, none))
		if err != nil {
			return false
		}
		if got.Exact {
			return got.Residual <= exactWithin
		}
		for i := range m {
			if math.Abs(got.Matrix[i]-m[i]) > 1e-9 {
				return false
			}
		}
		return got.Residual < 1e-9
	}
	if err := quick.Check(property, &quick.Config{MaxCount: 5000}); err != nil {
		t.Error(err)
	}
}

func TestLeastSquaresIsTheBest(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	m := Matrix{1.1, 0.05, -0.02, -0.04, 0.9, 0.12}
	for range 100 {
		s := taps(t, m, func() float64 { return (r.Float64() - 0.5) * 0.05 })
		fit, err := leastSquares(s)
		if err != nil {
			t.Fatal(err)
		}
		best := Residual(fit, s)
		for range 50 {
			other := fit
			other[r.IntN(6)] += (r.Float64() - 0.5) * 0.01
			if Residual(other, s) < best-1e-12 {
				t.Fatalf("%v fits better than %v", other, fit)
			}
		}
	}
}

func TestTapsThatMakeNoSenseAreRefused(t *testing.T) {
	straight := taps(t, Identity, none)
	line := append([]Sample(nil), straight...)
	for i := range line {
		line[i].Panel.Y = line[i].Panel.X
	}
	wild := append([]Sample(nil), straight...)
	wild[2].Panel, wild[4].Panel = Point{0.99, 0.01}, Point{0.02, 0.1}
	nan := append([]Sample(nil), straight...)
	nan[0].Panel.X = math.NaN()

	if _, err := Solve(straight[:3]); err == nil {
		t.Error("three taps were enough")
	}
	if _, err := Solve(line); !errors.Is(err, ErrDegenerate) {
		t.Errorf("taps on a line: %v", err)
	}
	var fit *FitError
	if _, err := Solve(wild); !errors.As(err, &fit) {
		t.Errorf("wild taps: %v", err)
	}
	if _, err := Solve(nan); err == nil {
		t.Error("a tap at NaN was taken")
	}
}

func TestFormat(t *testing.T) {
	for want, m := range map[string]Matrix{
		"0 -1 1 1 0 0": Exacts[1].Matrix,
		"1 0 0 0 1 0":  {1, math.Copysign(0, -1), 0, 0, 1, 0},
		"1.007935 -0.019309 0.0141138 0.5 1e-05 3": {1.007935, -0.019309, 0.0141138, 0.5, 0.00001, 3},
	} {
		if m.String() != want {
			t.Errorf("%v prints as %q, want %q", [6]float64(m), m.String(), want)
		}
	}
}
