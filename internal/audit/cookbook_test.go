package audit_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

var update = flag.Bool("update", false, "write the answers into docs/sql-cookbook.md instead of comparing")

const cookbookFile = "../../docs/sql-cookbook.md"

// recipe is a question of the cookbook: a heading, a query and its answer.
var recipe = regexp.MustCompile("(?ms)^### ([^\n]+)\n(.*?)^```sql\n(.*?)^```\n\n^```text\n(.*?)^```\n")

// TestCookbook runs every query of the cookbook as a member of the read-only
// role on the history of history_test.go, and compares its answer.
func TestCookbook(t *testing.T) {
	cook(t, tell(t), *update)
}

// TestCookbookOverTheArchive moves the first half of the history into the
// archive, as the server does with what is old, and wants the same answers.
func TestCookbookOverTheArchive(t *testing.T) {
	w := tell(t)
	w.check(w.archive("2026-11-04Z"))
	cook(t, w, false)
}

// cook runs the queries; with write it puts the answers into the cookbook.
func cook(t *testing.T, w *world, write bool) {
	t.Helper()
	text := string(must(os.ReadFile(cookbookFile)))
	recipes := recipe.FindAllStringSubmatch(text, -1)
	if n := strings.Count(text, "```sql"); len(recipes) != n || n < 20 {
		t.Fatalf("%d of %d queries have a heading and an answer", len(recipes), n)
	}
	conn := reader(t, w)
	for _, r := range recipes {
		title, query, want := r[1], r[3], r[4]
		t.Run(title, func(t *testing.T) {
			got, err := answer(t, conn, query)
			switch {
			case err != nil:
				t.Fatal(err)
			case write:
				text = strings.Replace(text, r[0], strings.TrimSuffix(r[0], want+"```\n")+got+"```\n", 1)
			case got != want:
				t.Errorf("the answer is\n%s\nwant\n%s", got, want)
			}
		})
	}
	if write {
		if err := os.WriteFile(cookbookFile, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// reader connects and becomes a member of the read-only role and nothing else.
func reader(t testing.TB, w *world) *pgx.Conn {
	t.Helper()
	conn := connect(t, w.db.Config().ConnString())
	_, err := conn.Exec(t.Context(), "SET ROLE baleen_audit")
	if sqlState(err) == insufficientPrivilege {
		t.Skip("the tests' role may not become another")
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "SET timezone = 'UTC'"); err != nil {
		t.Fatal(err)
	}
	return conn
}

// answer gives the result of a query as a table of text, as psql would show
// it, and that of COPY as it comes.
func answer(t testing.TB, conn *pgx.Conn, query string) (string, error) {
	t.Helper()
	if strings.HasPrefix(query, "COPY") {
		var out bytes.Buffer
		_, err := conn.PgConn().CopyTo(t.Context(), &out, query)
		return out.String(), err
	}
	results, err := conn.PgConn().Exec(t.Context(), query).ReadAll()
	if err != nil {
		return "", err
	}
	return table(results[len(results)-1]), nil
}

func table(r *pgconn.Result) string {
	rows := [][]string{nil}
	for _, f := range r.FieldDescriptions {
		rows[0] = append(rows[0], f.Name)
	}
	for _, values := range r.Rows {
		var row []string
		for _, v := range values {
			row = append(row, string(v))
		}
		rows = append(rows, row)
	}
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var out strings.Builder
	for n, row := range rows {
		line := make([]string, len(row))
		for i, cell := range row {
			line[i] = fmt.Sprintf("%-*s", widths[i], cell)
		}
		out.WriteString(strings.TrimRight(strings.Join(line, " | "), " ") + "\n")
		if n == 0 {
			for i, w := range widths {
				line[i] = strings.Repeat("-", w)
			}
			out.WriteString(strings.Join(line, "-+-") + "\n")
		}
	}
	return out.String()
}
