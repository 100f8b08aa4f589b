dnl mxcrypt.m4: the rules by which Sendmail 8.17 and later follows the TLS policies of mxcryptd(8). sendmail.mc includes it after its
dnl last MAILER line. mxcrypt-sendmail(5) is the manual; `mxcrypt sendmail-config' prints the lines that go before, of which these name
dnl the socket:
dnl
dnl	define(`confMXCRYPT_SOCKET', `inet:8461@127.0.0.1')dnl
dnl	define(`confMXCRYPT_TIMEOUT', `10')dnl
dnl	FEATURE(`sts', `socket -d10 -T<TMPF> inet:8461@127.0.0.1', `NO_SAN_TST')dnl
dnl
dnl For each recipient, before MAIL and again before RCPT, Sendmail asks for the domain, in two maps:
dnl   sendmail   NONE (no policy), ENCR:112 (TLS or nothing), VERIFY:112 (a certificate for the MX host's name)
dnl   sts        after VERIFY:112: secure servername=hostname, or with match=NAMES, among which the MX host must be
dnl What is none of these defers the message, as does <TMPF>: TEMP, a socket that is away, one that is silent (-d, in seconds, is
dnl longer than mxcryptd's answer-deadline).
dnl
dnl FEATURE(`sts') gives {rcpt_addr}, sends the MX host's name as SNI, and forbids to go on in clear after a failed handshake. Its
dnl own check of names is off (NO_SAN_TST): it refuses a certificate with a wildcard, and reads only the first names of a long list.
VERSIONID(`mxcrypt.m4')
ifdef(`confMXCRYPT_TIMEOUT', `', `define(`confMXCRYPT_TIMEOUT', `10')')dnl
LOCAL_CONFIG
# The names in a certificate, for $={cert_altnames}.
O SetCertAltnames=true
Ksendmail socket -d`'confMXCRYPT_TIMEOUT -T<TMPF> confMXCRYPT_SOCKET
# Takes "match=" from the first name of a list.
Kmxcrypt_match regex -s1 ^match=(.+)$
# Next-hops, as mailertable and SMART_HOST have them, for which no policy is asked.
C{MxcryptExempt}
dnl Sendmail checks a connection once, with the first recipient (tls_server), and then each recipient (tls_rcpt). The second is
dnl needed as well: recipients of other domains may be sent over the same connection.
dnl Rules of your own in these rulesets come after this file.
LOCAL_TLS_SERVER
R$*			$: $1 $| $>Mxcrypt $&{rcpt_addr}
R$* $| $#$*		$#$2
R$* $| $*		$: $1

LOCAL_TLS_RCPT
R$*			$: $1 $| $>Mxcrypt $&{rcpt_addr}
R$* $| $#$*		$#$2
R$* $| $*		$: $1

LOCAL_CLT_FEATURES
# M: no policy for this next-hop. $h is what was configured, never a name from the DNS.
R$*			$: $1 $| $&h
R$* $| $={MxcryptExempt}	$# M
R$* $| $*		$: $1

LOCAL_RULESETS
######################################################################
###  Mxcrypt: may mail for this recipient go over this connection?
###
###	Parameters:
###		$1: recipient; empty for an exempt next-hop
######################################################################
SMxcrypt
R$* @ $+		$: <@> $2
R<@> $* @ $+		<@> $2
R<@> $+ .		<@> $1
R<@> $+			$: <$1> $(sendmail $1 $: NOTFOUND $)
R<$+> $* <TMPF> $*	$#error $@ 4.7.0 $: "450 mxcryptd gives no TLS policy for " $1
R<$+> NONE		$@ $>Mxcrypt_done
R<$+> ENCR:112		$: <$1> ENCR $| $>Mxcrypt_encrypted
R<$+> VERIFY:112	$: <$1> VERIFY $| $>Mxcrypt_verified
R<$+> $* $| $#$*	$#$3
R<$+> ENCR $| $*	$@ $>Mxcrypt_done
R<$+> VERIFY $| $*	$: <$1> $(sts $1 $: NOTFOUND $)
R<$+> $* <TMPF> $*	$#error $@ 4.7.0 $: "450 mxcryptd gives no MTA-STS policy for " $1
R<$+> secure servername=hostname	$@ $>Mxcrypt_done
R<$+> secure $- $* servername=hostname	$@ $>Mxcrypt_match $(mxcrypt_match $2 $: $) $3 $| $&{server_name}
# whatever else it is, and NOTFOUND, which is also what Sendmail makes of an answer that it does not understand
R<$+> $*		$#error $@ 4.7.0 $: "450 what mxcryptd says is no TLS policy, for " $1
R$*			$@ ok

# What the rules of the feature sts would check was checked. Without {rcpt_addr} they do nothing.
SMxcrypt_done
R$*			$: $(macro {rcpt_addr} $@ $) ok

# TLS, to anybody. {verify} has one of these values only after a handshake.
SMxcrypt_encrypted
R$*			$: $&{verify}
ROK			$@ $>TLS_connection OK $| <TEMP+ENCR:112>
RTRUSTED		$@ $>TLS_connection OK $| <TEMP+ENCR:112>
RFAIL			$@ $>TLS_connection OK $| <TEMP+ENCR:112>
RNO			$@ $>TLS_connection OK $| <TEMP+ENCR:112>
RNOT			$@ $>TLS_connection OK $| <TEMP+ENCR:112>
R$*			$#error $@ 4.7.0 $: "450 TLS is required, and there is none with " $&{server_name} ", verify=" $1

# A chain that ends at confCACERT, and a subjectAltName that is the MX host's name, or a wildcard in place of its first label.
SMxcrypt_verified
R$*			$: $&{verify} $| $>TLS_connection $&{verify} $| <TEMP+VERIFY:112>
R$* $| $#$*		$#error $@ 4.7.0 $: "450 a valid certificate is required of " $&{server_name} ", verify=" $1
R$*			$: $&{server_name}
R$={cert_altnames}	$@ ok
R$- . $+		$: * . $2
R$={cert_altnames}	$@ ok
R$*			$#error $@ 4.7.0 $: "450 the certificate is not for the name of " $&{server_name}

# NAME:NAME:... $| host, where .NAME is each host exactly one label below it
SMxcrypt_match
R$+ $| $+		$: $(macro {TLS_Name} $@ $2 $) : $1 : $| $2
R$* : $&{TLS_Name} : $* $| $*	$@ $>Mxcrypt_done
R: $+ : $| $- . $+	$: $(macro {TLS_Name} $@ . $3 $) : $1 : $| . $3
R$* : $&{TLS_Name} : $* $| $*	$@ $>Mxcrypt_done
R$*			$#error $@ 4.7.0 $: "450 not among the MX hosts of the MTA-STS policy: " $&{server_name}
