package obs

import (
	"context"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// collector shows one snapshot. It lives for one scrape, so that the scrape's
// deadline is the snapshot's.
type collector struct {
	ctx context.Context
	m   *Metrics
	out chan<- prometheus.Metric
}

// Describe says nothing: which metrics there are depends on the state.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect takes a snapshot and shows it.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	c.out = out
	version := parts(Version)
	c.gauge("krill_server_start", "when this server started, as a Unix time", float64(c.m.cfg.Started.Unix()))
	c.gauge("krill_version_major", "first number of the version of this server", float64(version[0]))
	c.gauge("krill_version_minor", "second number of the version of this server", float64(version[1]))
	c.gauge("krill_version_patch", "third number of the version of this server", float64(version[2]))

	s, err := c.m.cfg.Source.Snapshot(c.ctx)
	c.gauge("baleen_snapshot_success", "1 if the state of the server could be read for this scrape", number(err == nil))
	if err != nil {
		c.m.cfg.Log.Warn("metrics without the state of the server", Fault(err))
		return
	}
	c.gauge("krill_auth_session_cache_size", "how many login sessions there are that have not ended", float64(s.Sessions))
	c.gauge("baleen_active", "1 if this node is the active one, 0 if it stands by", number(s.Node.Active))
	c.gauge("baleen_epoch", "rises by one whenever a node takes over", float64(s.Node.Epoch))
	if !s.Node.Overtaken.IsZero() {
		c.gauge("baleen_restore_overtaken_time", "unix timestamp of when this node last found that the database had been restored, moved or gone back, and issued everything again", float64(s.Node.Overtaken.Unix()))
	}
	c.cas(s.CAs)
	if s.Repo != nil {
		c.repo(s.Repo)
	}
	c.gauge("baleen_streams_broken", "how many CAs and other parts stopped because their log is not as it was written: baleen verify says more", float64(len(s.Broken)))
	if !c.m.cfg.Hide.CADetails {
		for _, b := range s.Broken {
			c.gauge("baleen_stream_broken", "1 for each of them", 1, "kind", b.Kind, "handle", b.Handle)
		}
	}
	c.ta(s.TA)
	c.announced(s.Announced)
	c.tasks(s.Tasks)
	c.keys(s.Keys)
}

func (c *collector) cas(cas []CA) {
	c.gauge("krill_cas", "how many CAs there are", float64(len(cas)))
	hide := c.m.cfg.Hide
	if hide.CADetails {
		return
	}
	children := 0
	for _, ca := range cas {
		c.contacts(ca)
		children += len(ca.Children)
	}
	for _, ca := range cas {
		if !hide.ChildDetails && children > 0 {
			c.children(ca)
		}
		if !hide.ROADetails {
			c.roas(ca)
		}
	}
}

func (c *collector) contacts(ca CA) {
	for _, p := range ca.Parents {
		if p.Tried {
			c.gauge("krill_ca_parent_success", "1 if the last exchange of the CA with this parent succeeded", number(p.OK), "ca", ca.Handle, "parent", p.Handle)
		}
		c.time("krill_ca_parent_last_success_time", "when the CA last succeeded to talk to this parent, as a Unix time", p.LastSuccess, "ca", ca.Handle, "parent", p.Handle)
	}
	if ca.Repository.Tried {
		c.gauge("krill_ca_ps_success", "1 if the last exchange of the CA with its publication server succeeded", number(ca.Repository.OK), "ca", ca.Handle)
	}
	c.time("krill_ca_ps_last_success_time", "when the CA last succeeded to talk to its publication server, as a Unix time", ca.Repository.LastSuccess, "ca", ca.Handle)
}

func (c *collector) children(ca CA) {
	c.gauge("krill_cas_children", "how many children the CA has", float64(len(ca.Children)), "ca", ca.Handle)
	agents := map[string]int{}
	for _, child := range ca.Children {
		labels := []string{"ca", ca.Handle, "child", child.Handle}
		if child.Tried {
			c.gauge("krill_ca_child_success", "1 if the last exchange of this child with the CA succeeded", number(child.OK), labels...)
			if child.Agent == "" {
				child.Agent = "<none>"
			}
			agents[clean(child.Agent)]++
		}
		c.gauge("krill_ca_child_state", "1 if the child is active, 0 if it is suspended", number(!child.Suspended), labels...)
		c.time("krill_ca_child_last_connection", "when the child last talked to the CA, as a Unix time", child.Last, labels...)
		c.time("krill_ca_child_last_success", "when the child last talked to the CA and succeeded, as a Unix time", child.LastSuccess, labels...)
	}
	for agent, n := range agents {
		c.gauge("krill_ca_child_agent_total", "how many children of the CA use this software, as of their last exchange", float64(n), "ca", ca.Handle, "user_agent", agent)
	}
}

func (c *collector) roas(ca CA) {
	c.gauge("krill_cas_bgp_roas_total", "how many ROAs are configured for the CA", float64(ca.ROAs), "ca", ca.Handle)
	if ca.BGP == nil {
		ca.BGP = &BGP{}
	}
	for _, v := range []struct {
		name, help string
		n          int
	}{
		{"krill_cas_bgp_announcements_valid", "announcements within the CA's resources that its ROAs make valid", ca.BGP.Valid},
		{"krill_cas_bgp_announcements_invalid_asn", "announcements within the CA's resources with an origin that no covering ROA has", ca.BGP.InvalidASN},
		{"krill_cas_bgp_announcements_invalid_length", "announcements within the CA's resources that are longer than their ROAs allow", ca.BGP.InvalidLength},
		{"krill_cas_bgp_announcements_not_found", "announcements within the CA's resources that no ROA of the CA covers", ca.BGP.NotFound},
		{"krill_cas_bgp_roas_too_permissive", "ROAs that allow more than is announced; 0 also when no announcements are known", ca.BGP.TooPermissive},
		{"krill_cas_bgp_roas_redundant", "ROAs that another ROA of the CA includes; 0 also when no announcements are known", ca.BGP.Redundant},
		{"krill_cas_bgp_roas_stale", "ROAs for which nothing is announced; 0 also when no announcements are known", ca.BGP.Stale},
	} {
		c.gauge(v.name, v.help, float64(v.n), "ca", ca.Handle)
	}
}

func (c *collector) repo(r *Repo) {
	c.gauge("krill_repo_publisher", "how many publishers there are", float64(len(r.Publishers)))
	c.counter("krill_repo_rrdp_serial", "serial of the RRDP session", float64(r.Serial))
	c.time("krill_repo_rrdp_last_update", "when a publisher last changed anything, as a Unix time", r.LastUpdate)
	if c.m.cfg.Hide.PublisherDetails {
		return
	}
	for _, p := range r.Publishers {
		c.gauge("krill_repo_objects", "how many objects the publisher has", float64(p.Objects), "publisher", p.Handle)
		c.gauge("krill_repo_size", "size of the publisher's objects in octets", float64(p.Size), "publisher", p.Handle)
		c.time("krill_repo_last_update", "when the publisher last changed anything, as a Unix time", p.LastUpdate, "publisher", p.Handle)
	}
}

func (c *collector) ta(ta *TA) {
	if ta == nil {
		return
	}
	c.time("baleen_ta_manifest_next_update_time", "until when the trust anchor's manifest is valid, and with it everything below, as a Unix time", ta.NextUpdate)
	c.time("baleen_ta_certificate_not_after_time", "until when the trust anchor's certificate is valid, as a Unix time", ta.NotAfter)
	c.gauge("baleen_ta_exchange_due", "1 if an exchange with the trust anchor's signer is due", number(ta.Due))
	c.gauge("baleen_ta_children_waiting", "1 if children wait for an exchange with the trust anchor's signer", number(ta.Waiting))
}

func (c *collector) announced(a *Announced) {
	if a == nil {
		return
	}
	if a.Tried {
		c.gauge("baleen_bgp_success", "1 if this node's last try to fetch route announcements succeeded", number(a.OK))
	}
	c.time("baleen_bgp_last_success_time", "when this node last fetched route announcements, as a Unix time", a.LastSuccess)
	c.gauge("baleen_bgp_announcements", "route announcements in use on this node", float64(a.V4), "family", "ipv4")
	c.gauge("baleen_bgp_announcements", "route announcements in use on this node", float64(a.V6), "family", "ipv6")
}

func (c *collector) tasks(tasks []Task) {
	for _, t := range tasks {
		c.gauge("baleen_tasks_due", "tasks whose time has come and that wait for a worker", float64(t.Due), "kind", t.Kind)
		c.gauge("baleen_tasks_waiting", "tasks whose time is yet to come", float64(t.Waiting), "kind", t.Kind)
		c.gauge("baleen_tasks_running", "tasks that a worker has", float64(t.Running), "kind", t.Kind)
		c.gauge("baleen_tasks_failing", "tasks whose last run failed and that are tried again", float64(t.Failing), "kind", t.Kind)
		c.gauge("baleen_tasks_parked", "tasks that need somebody's help", float64(t.Parked), "kind", t.Kind)
		c.gauge("baleen_task_oldest_seconds", "how long the first of the tasks due has waited", t.Oldest.Seconds(), "kind", t.Kind)
	}
}

func (c *collector) keys(k KeyPool) {
	c.gauge("baleen_key_pool_size", "how many one-off keys are to be kept ready", float64(k.Size))
	c.gauge("baleen_key_pool_ready", "how many one-off keys are ready", float64(k.Ready))
	c.counter("baleen_keys_taken_total", "keys taken from the pool", float64(k.Taken))
	c.counter("baleen_keys_missed_total", "keys that had to be made when they were needed, because the pool was empty", float64(k.Missed))
}

func (c *collector) gauge(name, help string, value float64, labels ...string) {
	c.send(prometheus.GaugeValue, name, help, value, labels)
}

func (c *collector) counter(name, help string, value float64, labels ...string) {
	c.send(prometheus.CounterValue, name, help, value, labels)
}

// time shows a time unless it is unknown.
func (c *collector) time(name, help string, at time.Time, labels ...string) {
	if !at.IsZero() {
		c.gauge(name, help, float64(at.Unix()), labels...)
	}
}

// send shows one sample; labels are names and values in turn.
func (c *collector) send(kind prometheus.ValueType, name, help string, value float64, labels []string) {
	names, values := make([]string, 0, len(labels)/2), make([]string, 0, len(labels)/2)
	for i := 0; i+1 < len(labels); i += 2 {
		names, values = append(names, labels[i]), append(values, clean(labels[i+1]))
	}
	desc := prometheus.NewDesc(name, help, names, nil)
	metric, err := prometheus.NewConstMetric(desc, kind, value, values...)
	if err != nil {
		metric = prometheus.NewInvalidMetric(desc, err)
	}
	c.out <- metric
}

// clean makes a label value that Prometheus takes.
func clean(value string) string { return strings.ToValidUTF8(value, "\uFFFD") }

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
