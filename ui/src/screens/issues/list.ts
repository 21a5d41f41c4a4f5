// The issues of a CA as one list.

import type { Schema } from '../../lib/api'

export type Issue = { with: string; error: Schema['ErrorResponse'] }

export const issueList = (issues: Schema['CAIssues']): Issue[] => [
  ...(issues.repo_issue ? [{ with: 'repository', error: issues.repo_issue }] : []),
  ...issues.parent_issues.map((p) => ({ with: `parent ${p.parent}`, error: p.issue })),
]
