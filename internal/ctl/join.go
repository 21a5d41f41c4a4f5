package ctl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"baleen/api"
	"baleen/internal/rpki/resources"
)

// testbedCA is the CA of a test server that has all resources to give away.
const testbedCA handle = "testbed"

const (
	tries     = 8                       // of a call that meets a conflict or a server that cannot serve
	firstWait = 50 * time.Millisecond   // doubled from look to look, up to lastWait
	lastWait  = 1600 * time.Millisecond // between looks at work in progress
)

// joinStep is one thing that setting up a CA took.
type joinStep struct {
	Step   string `json:"step"`
	Result string `json:"result"`
}

// joiner sets up CAs below the testbed of their own server, by the calls that
// an operator would make one by one. What is there already is left as it is,
// so that a run which was cut off can be repeated.
type joiner struct {
	client   *client
	say      func(joinStep) // hears of each step that was taken
	patience time.Duration  // with a server that is only just setting up its testbed
}

func newJoiner(c *client, say func(joinStep)) *joiner {
	return &joiner{client: c, say: say, patience: 15 * time.Second}
}

// join brings a CA to where it publishes in this server and has asked the
// testbed for exactly the wanted resources.
func (j *joiner) join(ctx context.Context, ca handle, wanted resources.Set) error {
	if err := j.awaitTestbed(ctx, wanted); err != nil {
		return err
	}
	for _, step := range []func(ctx context.Context, ca handle, wanted resources.Set) (joinStep, error){
		j.create, j.configureRepository, j.addChild, j.addParent,
	} {
		var done joinStep
		err := retry(ctx, func() (err error) {
			done, err = step(ctx, ca, wanted)
			return err
		})
		if err != nil {
			return fmt.Errorf("CA %s: %w", ca, err)
		}
		j.say(done)
	}
	return nil
}

// awaitTestbed returns once the testbed can give what is wanted.
func (j *joiner) awaitTestbed(ctx context.Context, wanted resources.Set) error {
	ctx, cancel := context.WithTimeout(ctx, j.patience)
	defer cancel()
	missing := fmt.Errorf("this server has no CA %s", testbedCA)
	err := poll(ctx, func() (bool, error) {
		testbed, err := j.info(ctx, testbedCA)
		switch {
		case hasLabel(err, "ca-unknown"):
			return false, nil
		case err == nil && !testbed.Resources.Contains(wanted):
			missing = fmt.Errorf("CA %s does not hold %s", testbedCA, wanted.Difference(testbed.Resources))
			return false, nil
		}
		return err == nil, err
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return missing
	}
	return err
}

func (j *joiner) create(ctx context.Context, ca handle, _ resources.Set) (joinStep, error) {
	_, err := j.info(ctx, ca)
	if !hasLabel(err, "ca-unknown") {
		return joinStep{"CA", "already there"}, err
	}
	_, err = j.client.do(ctx, post(casPath, api.Handle{Handle: string(ca)}))
	return joinStep{"CA", "created"}, err
}

func (j *joiner) info(ctx context.Context, ca handle) (api.CAInfo, error) {
	var info api.CAInfo
	_, err := j.client.fetch(ctx, get(ca.path("")), &info)
	return info, err
}

func (j *joiner) configureRepository(ctx context.Context, ca handle, _ resources.Set) (joinStep, error) {
	const step = "repository"
	info, err := j.info(ctx, ca)
	if err != nil || info.RepoInfo != nil {
		return joinStep{step, "already configured"}, err
	}
	var request api.PublisherRequest
	if _, err := j.client.fetch(ctx, get(ca.path("/id/publisher_request.json")), &request); err != nil {
		return joinStep{}, err
	}
	var response api.RepositoryResponse
	var there api.PublisherDetails
	_, err = j.client.fetch(ctx, get(ca.publisherPath("")), &there)
	switch {
	case hasLabel(err, "pub-unknown"):
		_, err = j.client.fetch(ctx, post(publishersPath, request), &response)
	case err == nil && !bytes.Equal(there.IDCert.Base64, request.IDCert):
		err = errors.New("a publisher of this name is there already, with another identity")
	case err == nil:
		_, err = j.client.fetch(ctx, get(ca.publisherPath("/response.json")), &response)
	}
	if err != nil {
		return joinStep{}, err
	}
	_, err = j.client.do(ctx, post(ca.path("/repo"), api.RepositoryUpdate{RepositoryResponse: response}))
	return joinStep{step, "publishes below " + response.SIABase}, err
}

func (j *joiner) addChild(ctx context.Context, ca handle, wanted resources.Set) (joinStep, error) {
	const step = "child of " + string(testbedCA)
	var request api.ChildRequest
	if _, err := j.client.fetch(ctx, get(ca.path("/id/child_request.json")), &request); err != nil {
		return joinStep{}, err
	}
	var there api.ChildInfo
	child := childFlags{ca: testbedCA, child: ca}
	_, err := j.client.fetch(ctx, get(child.path("")), &there)
	switch {
	case hasLabel(err, "ca-child-unknown"):
		body := api.AddChildRequest{Handle: string(ca), Resources: wanted, IDCert: request.IDCert}
		_, err = j.client.do(ctx, post(testbedCA.path("/children"), body))
		return joinStep{step, "added with " + wanted.String()}, err
	case err != nil:
		return joinStep{}, err
	case !bytes.Equal(there.IDCert.Base64, request.IDCert):
		return joinStep{}, fmt.Errorf("%s has a child of this name already, with another identity", testbedCA)
	case there.EntitledResources.Equal(wanted):
		return joinStep{step, "already there"}, nil
	}
	_, err = j.client.do(ctx, post(child.path(""), api.UpdateChildRequest{Resources: &wanted}))
	return joinStep{step, "resources changed to " + wanted.String()}, err
}

func (j *joiner) addParent(ctx context.Context, ca handle, wanted resources.Set) (joinStep, error) {
	const step = "parent " + string(testbedCA)
	info, err := j.info(ctx, ca)
	if err != nil {
		return joinStep{}, err
	}
	if slices.ContainsFunc(info.Parents, func(p api.ParentInfo) bool { return p.Handle == string(testbedCA) }) {
		if info.Resources.Equal(wanted) {
			return joinStep{step, "already there"}, nil
		}
		_, err = j.client.do(ctx, post(ca.path("/sync/parents"), nil))
		return joinStep{step, "asked again"}, err
	}
	var response api.ParentResponse
	if _, err := j.client.fetch(ctx, get(childFlags{ca: testbedCA, child: ca}.path("/contact")), &response); err != nil {
		return joinStep{}, err
	}
	_, err = j.client.do(ctx, post(ca.path("/parents"), api.ParentRequest{Handle: string(testbedCA), Response: response}))
	return joinStep{step, "added"}, err
}

// await returns once the CA holds exactly what it asked for.
func (j *joiner) await(ctx context.Context, ca handle, wanted resources.Set) error {
	err := poll(ctx, func() (bool, error) {
		info, err := j.info(ctx, ca)
		return err == nil && info.Resources.Equal(wanted), err
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("CA %s has not received its certificate yet: see the commands issues and tasks", ca)
	}
	if err != nil {
		return fmt.Errorf("CA %s: %w", ca, err)
	}
	j.say(joinStep{"certificate", "received"})
	return nil
}

// retry does f again, a few times, when a little later it may succeed.
func retry(ctx context.Context, f func() error) error {
	wait := firstWait
	for range tries - 1 {
		err := f()
		if !tryAgain(err) {
			return err
		}
		if pause(ctx, wait) != nil {
			return err
		}
		wait = min(2*wait, lastWait)
	}
	return f()
}

// poll asks until done says yes or fails for good, or until ctx ends. A server
// that cannot serve for a while is waited for.
func poll(ctx context.Context, done func() (bool, error)) error {
	wait := firstWait
	for {
		ok, err := done()
		if ctx.Err() != nil && !ok {
			return ctx.Err()
		}
		if ok || err != nil && !tryAgain(err) {
			return err
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
		wait = min(2*wait, lastWait)
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
