package main

import (
	"os/user"
	"slices"
	"testing"

	"baleen/internal/access"
	"baleen/internal/config"
)

func TestConfigurationKnowsTheRoles(t *testing.T) {
	if got, want := config.Roles(), access.DefaultRoles().Names(); !slices.Equal(got, want) {
		t.Errorf("settings can name the roles %v, the server has %v", got, want)
	}
}

func TestOthersMayUseTheSocket(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		users config.UnixUsers
		want  bool
	}{
		{config.UnixUsers{"root": "admin"}, false},
		{config.UnixUsers{"root": "admin", me.Username: "admin"}, false},
		{config.UnixUsers{"root": "admin", "somebody-else": "readonly"}, true},
	} {
		if got := others(tt.users); got != tt.want {
			t.Errorf("%v: %v", tt.users, got)
		}
	}
}
