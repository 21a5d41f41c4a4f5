package rest

import "baleen/internal/access"

// Permission is what a route asks of the user.
type Permission = access.Permission

// The permissions as the table of routes names them.
const (
	Public         = access.Public
	Login          = access.Login
	PubAdmin       = access.PubAdmin
	PubList        = access.PubList
	PubRead        = access.PubRead
	PubCreate      = access.PubCreate
	PubDelete      = access.PubDelete
	CARead         = access.CARead
	CACreate       = access.CACreate
	CAUpdate       = access.CAUpdate
	CADelete       = access.CADelete
	CAAdmin        = access.CAAdmin
	RoutesRead     = access.RoutesRead
	RoutesUpdate   = access.RoutesUpdate
	RoutesAnalysis = access.RoutesAnalysis
	ASPAsRead      = access.ASPAsRead
	ASPAsUpdate    = access.ASPAsUpdate
	BGPsecRead     = access.BGPsecRead
	BGPsecUpdate   = access.BGPsecUpdate
)
