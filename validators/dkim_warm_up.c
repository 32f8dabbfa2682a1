#include "validators/dkim_warm_up.h"

const char dkim_sample_message[] = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\n"
				   " d=football.example.com; i=@football.example.com;\n"
				   " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\n"
				   " subject : date : message-id : from : subject : date;\n"
				   " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\n"
				   " b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\n"
				   " Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\n"
				   "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\n"
				   " d=football.example.com; i=@football.example.com;\n"
				   " q=dns/txt; s=test; t=1528637909; h=from : to : subject :\n"
				   " date : message-id : from : subject : date;\n"
				   " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\n"
				   " b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\n"
				   " DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\n"
				   " dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\n"
				   "From: Joe SixPack <joe@football.example.com>\n"
				   "To: Suzie Q <suzie@shopping.example.net>\n"
				   "Subject: Is dinner ready?\n"
				   "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\n"
				   "Message-ID: <20030712040037.46341.5F8J@football.example.com>\n"
				   "\n"
				   "Hi.\n"
				   "\n"
				   "We lost the game.  Are you hungry yet?\n"
				   "\n"
				   "Joe.\n";

struct span
dkim_sample_key(struct span name)
{
	if (span_eq(name, SPAN("brisbane._domainkey.football.example.com")))
		return SPAN("v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
	if (span_eq(name, SPAN("test._domainkey.football.example.com")))
		return SPAN("v=DKIM1; k=rsa; "
			    "p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWR"
			    "iGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/b"
			    "yYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKr"
			    "M3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K"
			    "4w3QIDAQAB");
	return span_of(NULL, 0);
}
