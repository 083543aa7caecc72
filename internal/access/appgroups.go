package access

import (
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
)

// AppGroups are the words that stand for groups of Microsoft's applications,
// each with the question whether an application is in it.
type AppGroups map[string]func(*App) Truth

// MicrosoftAppGroups are Office365 and MicrosoftAdminPortals.
//
// Microsoft publishes the contents of Office 365 by name, as of June 2026
// ("Apps included in Conditional Access Office 365 app suite"), and those of
// the admin portals by application id ("Conditional Access: Target
// resources"). Both lists grow.
func MicrosoftAppGroups() AppGroups {
	return AppGroups{
		"Office365":             inOffice365,
		"MicrosoftAdminPortals": func(a *App) Truth { return truth(slices.Contains(adminPortals, a.ID)) },
	}
}

var adminPortals = []entra.ID{
	"497effe9-df71-4043-a8bb-14cf78c4b63b", // Exchange Admin Center
	"c44b4083-3bb0-49c1-b47d-974e53cbdf3c", // Azure portal, which serves the Entra admin center too
	"00000006-0000-0ff1-ce00-000000000000", // Microsoft Office 365 Portal
	"80ccca67-54bd-44ab-8625-4b79c4dc7775", // Microsoft 365 Security and Compliance Center
}

// inOffice365 knows the largest members by id, the others by the name of a
// service principal that belongs to Microsoft.
func inOffice365(a *App) Truth {
	switch {
	case slices.Contains(office365IDs, a.ID):
		return Yes
	case a.Microsoft == No:
		return No
	case a.Name == "":
		return Unknown
	}
	return truth(office365Names[strings.ToLower(a.Name)]).And(a.Microsoft)
}

var office365IDs = []entra.ID{
	"00000002-0000-0ff1-ce00-000000000000", // Office 365 Exchange Online
	"00000003-0000-0ff1-ce00-000000000000", // Office 365 SharePoint Online
	"00000004-0000-0ff1-ce00-000000000000", // Skype for Business Online
	"00000005-0000-0ff1-ce00-000000000000", // Viva Engage
	"00000006-0000-0ff1-ce00-000000000000", // Microsoft Office 365 Portal
	"cc15fd57-2c6c-4117-a88c-83b1d56b4bbe", // Microsoft Teams Services
}

var office365Names = names(`
AI Hub Services|App Studio for Microsoft Teams|Augmentation Loop|Call Recorder|Connectors|Copilot Data Platform|DataSecurityInvestigation
Device Management Service|EDU Assignments|EnrichmentSvc|Enterprise Copilot Platform|Groups Service|IC3 Gateway|IC3 Gateway Non Cae
Insights Services|INT Augmentation Loop 1P|Legacy Smart Compose|Loop|Loop Web Application|Loop Web Service|M365 Admin Services
M365 Auditing Public Protected Web API app|M365ChatClient|make.gov.powerapps.us|make.powerapps.com|Media Analysis and Transformation Service
Message Recall|Messaging Async Media|MessagingAsyncMediaProd|Microsoft 365 eSignature|Microsoft 365 eSignature PPE|Microsoft 365 Reporting Service
Microsoft Discovery Service|Microsoft Exchange Online Protection|Microsoft Flow Portal|Microsoft Flow Portal GCC|Microsoft Forms|Microsoft Forms Web
Microsoft Information Protection API|Microsoft Office|Microsoft Office 365 Portal|Microsoft People Cards Service|Microsoft Planner|Microsoft Planner Client
Microsoft SharePoint Online - SharePoint Home|Microsoft Stream Portal|Microsoft Stream Service|Microsoft Teams|Microsoft Teams - T4L Web Client
Microsoft Teams - Teams And Channels Service|Microsoft Teams Analytics|Microsoft Teams Chat Aggregator|Microsoft Teams Graph Service
Microsoft Teams Mailhook|Microsoft Teams Retail Service|Microsoft Teams Services|Microsoft Teams Targeting Application|Microsoft Teams UIS
Microsoft Teams Web Client|Microsoft To-Do web app|Microsoft Todo web app|Microsoft Virtual Events Portal|Microsoft Virtual Events Services
Microsoft Visio Data Visualizer|Microsoft Whiteboard Services|MSAI Substrate Meeting Intelligence|Natural Language Editor|O365 Diagnostic Service
O365 Suite UX|O365 Suite UX PathFinder|OCPS Checkin Service|Office 365|Office 365 Exchange Microservices|Office 365 Exchange Online
Office 365 Search Service|Office 365 SharePoint Online|Office Collab Actions|Office Delve|Office Hive|Office Hive Fairfax
Office MRO Device Manager Service|Office Notification Service|Office Online Add-in SSO|Office Online Augmentation Loop SSO|Office Online Core SSO
Office Online Loki SSO|Office Online Maker SSO|Office Online Print SSO|Office Online Search SSO|Office Online Service|Office Online Speech SSO
Office Scripts Service|Office Scripts Service - INT|Office Scripts Service - Local|Office Scripts Service - Test|Office Shredding Service|Office.com
Office365 Shell DoD WCSS-Client|Office365 Shell WCSS-Client|OfficeClientService|OfficeHome|OfficePowerPointSGS|OfficeServicesManager|Olympus
OMEX External|One Outlook Web|OneDrive|OneDrive SyncEngine|OneNote|OneOutlook|Outlook Browser Extension|Outlook Service for Exchange
PowerApps Service|Project for the web|ProjectWorkManagement|ProjectWorkManagement_AdminTools|ProjectWorkManagement_USGov|Protection Center
Reply-At-Mention|SharePoint Notification Services|SharePoint Notification Services Fairfax|SharePoint Online Web Client Extensibility
SharePoint Online Web Client Extensibility Isolated|Skype and Teams Tenant Admin API|Skype for Business|Skype for Business Online
Skype Presence Service|Sway|Targeted Messaging Service|Teams CMD Services Artifacts|Teams Device Management Services|Teams Walkie Talkie Service
Teams Walkie Talkie Service - GCC|Viva Engage`)

func names(list string) map[string]bool {
	out := map[string]bool{}
	for name := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == '|' || r == '\n' }) {
		out[strings.ToLower(name)] = true
	}
	return out
}
