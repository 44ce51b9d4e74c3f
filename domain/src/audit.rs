//! The audit log's words: what was done, by which kind of somebody, on which kind of thing. Closed lists, so that a program can count on them and a page can say them.

/// A closed list of words: what programs read, and what people do.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($variant:ident $text:literal $said:literal)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $name {
            $($variant,)+
        }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As it is stored, and as programs get it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// As people are told it.
            #[must_use]
            pub fn in_words(self) -> &'static str {
                match self {
                    $(Self::$variant => $said,)+
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text).ok_or(())
            }
        }
    };
}

words! {
    /// What was done, or tried. What stands before the dot is its [`group`](Act::group).
    Act {
        OrganisationSetUp "organisation.set_up" "set up the organisation"
        OrganisationCreated "organisation.created" "created an organisation"
        OrganisationSuspended "organisation.suspended" "suspended an organisation"
        OrganisationResumed "organisation.resumed" "resumed an organisation"
        OrganisationChanged "organisation.changed" "changed the organisation's name or switches"
        RecordingRulesChanged "organisation.recording_changed" "changed the settings of recordings"
        EmbedDomainsChanged "organisation.embedding_changed" "changed which sites may embed"
        WebhookChanged "organisation.webhook_changed" "changed the webhook"
        PublishKeysChanged "organisation.publish_keys_changed" "changed the publish keys"
        SecondFactorRuleChanged "organisation.second_factor_changed" "changed whether everybody needs a second factor"
        UserAdded "user.added" "added a user"
        UserInvited "user.invited" "invited somebody"
        InvitationRevoked "user.invitation_revoked" "revoked an invitation"
        InvitationAccepted "user.invitation_accepted" "accepted an invitation"
        RoleChanged "user.role_changed" "gave a user another role"
        SystemRoleGiven "user.system_role_given" "made a user a system administrator"
        SystemRoleTaken "user.system_role_taken" "made a user a system administrator no more"
        UserRemoved "user.removed" "removed a user"
        PasswordLinkMade "user.password_link_made" "made a link for a new password"
        PasswordChanged "user.password_changed" "changed their password"
        PasswordSetByLink "user.password_set_by_link" "set a new password by a link"
        IdentityConnected "user.identity_connected" "connected their account with the sign-in provider"
        IdentityDisconnected "user.identity_disconnected" "disconnected their account from the sign-in provider"
        IdentityRefused "user.identity_refused" "came from the sign-in provider, and was refused"
        LinkRefused "user.link_refused" "came with a link that is good no more"
        PasswordRefused "user.password_refused" "gave a wrong password when asked for theirs"
        SecondFactorOn "user.second_factor_on" "set up a second factor"
        SecondFactorOff "user.second_factor_off" "switched off their second factor"
        SecondFactorReset "user.second_factor_reset" "reset a second factor"
        RecoveryCodesMade "user.recovery_codes_made" "made new recovery codes"
        SignedIn "session.began" "signed in"
        SignedOut "session.ended" "signed out"
        SignInRefused "session.refused" "was refused a sign-in"
        CodeRefused "session.code_refused" "gave a wrong code of a second factor"
        SessionRevoked "session.revoked" "ended one of their sessions"
        OtherSessionsRevoked "session.others_revoked" "ended all their other sessions"
        SessionTokenMade "session_token.made" "got a session token"
        SessionTokenRevoked "session_token.revoked" "ended a session token"
        SessionTokenRefused "session_token.refused" "came with a session token that is over"
        KeyMade "key.made" "made a key"
        KeyRevoked "key.revoked" "revoked a key"
        KeyRefused "key.refused" "came with a key that is over"
        PlaybackTokenMade "playback_token.made" "made a playback token"
        PlaybackTokenRevoked "playback_token.revoked" "revoked a playback token"
        PlaybackSecretRenewed "playback_token.secret_renewed" "ended all playback tokens by a new secret"
        StreamCreated "stream.created" "created a stream"
        StreamTagged "stream.tagged" "changed a stream's tags"
        PushChanged "stream.push_changed" "changed where a stream is pushed to"
        PublishKeyRenewed "stream.publish_key_renewed" "renewed a publish key"
        StreamStopped "stream.stopped" "stopped a stream"
        StreamLocked "stream.locked" "locked a stream"
        StreamUnlocked "stream.unlocked" "unlocked a stream"
        StreamDeleted "stream.deleted" "deleted a stream"
        PublishRefused "stream.publish_refused" "was refused to publish"
        RecordingBinned "recording.binned" "took a recording to the bin"
        RecordingRestored "recording.restored" "restored a recording"
        RecordingHeld "recording.held" "put a recording under legal hold"
        HoldLifted "recording.hold_lifted" "lifted a legal hold"
        RecordingPurged "recording.purged" "removed a recording for good"
        EndpointMade "endpoint.made" "made an endpoint for events"
        EndpointChanged "endpoint.changed" "changed an endpoint for events"
        EndpointDeleted "endpoint.deleted" "deleted an endpoint for events"
        EndpointSecretRotated "endpoint.secret_rotated" "rotated an endpoint's secret"
        EndpointTested "endpoint.tested" "tested an endpoint"
        EventResent "endpoint.event_resent" "sent an event again"
        RequestDenied "request.denied" "asked for what their role does not allow"
        MissingDenied "request.missing_denied" "asked for what is not there, or not theirs"
    }
}

words! {
    /// Who it was.
    WhoKind {
        User "user" "user"
        SessionToken "session_token" "session token"
        Key "key" "key"
        Operator "operator" "operator"
        SystemAdministrator "system_administrator" "system administrator"
        Server "server" "server"
        Encoder "encoder" "encoder"
        Stranger "stranger" "stranger"
        Several "several" "several"
    }
}

words! {
    /// On what.
    ThingKind {
        Organisation "organisation" "organisation"
        User "user" "user"
        Invitation "invitation" "invitation"
        Key "key" "key"
        SessionToken "session_token" "session token"
        PlaybackToken "playback_token" "playback token"
        Stream "stream" "stream"
        Recording "recording" "recording"
        Endpoint "endpoint" "endpoint"
        Event "event" "event"
    }
}

impl Act {
    /// What it is about: `stream` of `stream.created`.
    #[must_use]
    pub fn group(self) -> &'static str {
        let text = self.as_str();
        text.split_once('.').map_or(text, |(group, _)| group)
    }

    /// Whether it is an attempt that came to nothing.
    #[must_use]
    pub fn is_denied(self) -> bool {
        matches!(
            self,
            Self::IdentityRefused
                | Self::LinkRefused
                | Self::PasswordRefused
                | Self::SignInRefused
                | Self::CodeRefused
                | Self::SessionTokenRefused
                | Self::KeyRefused
                | Self::PublishRefused
                | Self::RequestDenied
                | Self::MissingDenied
        )
    }

    /// Every group, in the order of the list.
    #[must_use]
    pub fn groups() -> Vec<&'static str> {
        let mut groups: Vec<&str> = Self::ALL.iter().map(|act| act.group()).collect();
        groups.dedup();
        groups
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_word_is_read_as_what_it_was_written_as() {
        for act in Act::ALL {
            assert_eq!(act.as_str().parse(), Ok(*act));
            assert!(act.as_str().split_once('.').is_some_and(|(group, act)| !group.is_empty() && !act.is_empty()), "{act:?}");
        }
        let texts: BTreeSet<&str> = Act::ALL.iter().map(|act| act.as_str()).collect();
        assert_eq!(texts.len(), Act::ALL.len());
        assert_eq!("stream.made".parse::<Act>(), Err(()));
        assert!(WhoKind::ALL.iter().all(|kind| kind.as_str().parse() == Ok(*kind)));
        assert!(ThingKind::ALL.iter().all(|kind| kind.as_str().parse() == Ok(*kind)));
    }

    #[test]
    fn each_group_stands_together() {
        let groups = Act::groups();
        let distinct: BTreeSet<&str> = groups.iter().copied().collect();
        assert_eq!(groups.len(), distinct.len(), "{groups:?}");
    }

    #[test]
    fn what_was_refused_says_so() {
        for act in Act::ALL {
            let says = act.as_str().ends_with("refused") || act.as_str().ends_with("denied");
            assert_eq!(act.is_denied(), says, "{act:?}");
        }
    }
}
