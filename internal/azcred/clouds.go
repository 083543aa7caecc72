package azcred

import (
	"net/netip"
	"net/url"
	"strings"
)

type cloud struct{ authority, graph, storage string }

// clouds are Microsoft's own, learn.microsoft.com/graph/deployments.
var clouds = map[string]cloud{
	"global":   {"https://login.microsoftonline.com", "https://graph.microsoft.com", "blob.core.windows.net"},
	"usgov":    {"https://login.microsoftonline.us", "https://graph.microsoft.us", "blob.core.usgovcloudapi.net"},
	"usgovdod": {"https://login.microsoftonline.us", "https://dod-graph.microsoft.us", "blob.core.usgovcloudapi.net"},
	"china":    {"https://login.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn", "blob.core.chinacloudapi.cn"},
}

func lookup(name string) cloud {
	if c, ok := clouds[name]; ok {
		return c
	}
	return clouds["global"]
}

// Authority is the sign-in address of a cloud.
func Authority(cloud string) string { return lookup(cloud).authority }

// GraphEndpoint is the address of Microsoft Graph in a cloud, with its version.
func GraphEndpoint(cloud string) string { return lookup(cloud).graph + "/v1.0" }

// GraphScope is the scope of tokens for Microsoft Graph in a cloud.
func GraphScope(cloud string) string { return lookup(cloud).graph + "/.default" }

// StoreCloud is the cloud that a blob container's address belongs to.
func StoreCloud(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "global"
	}
	for _, name := range []string{"usgov", "china"} {
		if strings.HasSuffix(strings.ToLower(u.Hostname()), "."+clouds[name].storage) {
			return name
		}
	}
	return "global"
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
