import Testing

@testable import AWSAccess

@Suite("Endpoints of AWS")
struct EndpointTests {
    private func url(
        _ service: AWSService, _ region: String, _ environment: [String: String] = [:], _ profile: AWSProfile? = nil
    ) -> String {
        AWSEndpoints(environment: environment, profile: profile).url(of: service, in: region)
    }

    @Test(
        "each partition has its names, with FIPS and dual stack",
        arguments: [
            (.ecs, "us-east-1", false, false, "ecs.us-east-1.amazonaws.com"),
            (.ecs, "us-east-1", true, false, "ecs-fips.us-east-1.amazonaws.com"),
            (.sts, "eu-west-1", false, true, "sts.eu-west-1.api.aws"),
            (.logs, "eu-west-1", true, true, "logs-fips.eu-west-1.api.aws"),
            (.ec2, "cn-north-1", false, false, "ec2.cn-north-1.amazonaws.com.cn"),
            (.ec2, "cn-north-1", false, true, "ec2.cn-north-1.api.amazonwebservices.com.cn"),
            (.ecs, "us-gov-west-1", true, false, "ecs-fips.us-gov-west-1.amazonaws.com"),
            (.sqs, "us-gov-west-1", true, false, "sqs.us-gov-west-1.amazonaws.com"),
            (.sqs, "us-gov-west-1", true, true, "sqs-fips.us-gov-west-1.api.aws"),
            (.ecs, "us-iso-east-1", false, false, "ecs.us-iso-east-1.c2s.ic.gov"),
            (.ecs, "us-isob-east-1", false, false, "ecs.us-isob-east-1.sc2s.sgov.gov"),
            (.ecs, "eusc-de-east-1", false, true, "ecs.eusc-de-east-1.api.amazonwebservices.eu"),
        ] as [(AWSService, String, Bool, Bool, String)])
    func partitions(service: AWSService, region: String, fips: Bool, dualStack: Bool, host: String) {
        let environment = ["AWS_USE_FIPS_ENDPOINT": "\(fips)", "AWS_USE_DUALSTACK_ENDPOINT": "\(dualStack)"]
        #expect(url(service, region, environment) == "https://\(host)")
    }

    @Test("the URL of one service takes precedence over that of all, and the environment over the profile")
    func configured() {
        let profile = AWSProfile(
            name: "p", credentials: [:], configuration: ["endpoint_url": "http://profile"],
            services: ["ecs.endpoint_url": "http://profile-ecs/"], session: nil)
        let all = ["AWS_ENDPOINT_URL": "http://all/"]
        #expect(url(.ecs, "r", [:], profile) == "http://profile-ecs")
        #expect(url(.sqs, "r", [:], profile) == "http://profile")
        #expect(url(.ecs, "r", all, profile) == "http://profile-ecs")
        #expect(url(.sqs, "r", all, profile) == "http://all")
        #expect(
            url(.logs, "r", all.merging(["AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": "http://logs"]) { $1 }) == "http://logs")
        let ignored = all.merging(["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"]) { $1 }
        #expect(url(.ecs, "us-east-1", ignored, profile) == "https://ecs.us-east-1.amazonaws.com")
    }

    @Test("files of profiles are read in all their forms")
    func profiles() {
        let sections = AWSProfileFiles.sections(
            """
            # a comment
            [default]
            region = us-west-2
            [ profile  dev ]
            role_arn=arn:aws:iam::1:role/r
            s3 =
              addressing_style = path
            source_profile = default
            ; another
            [services local]
            ecs =
              endpoint_url = http://localhost:1
            broken line
            """)
        #expect(sections["default"] == ["region": "us-west-2"])
        #expect(
            sections["profile dev"] == [
                "role_arn": "arn:aws:iam::1:role/r", "s3": "", "s3.addressing_style": "path",
                "source_profile": "default",
            ])
        #expect(sections["services local"]?["ecs.endpoint_url"] == "http://localhost:1")
    }

    @Test("answers in XML are read, whatever they contain")
    func xml() {
        let text = """
            <?xml version="1.0"?><!-- <x> --><r xmlns="u"><vpcSet><item><id>a&amp;b&#65;</id></item><item/></vpcSet>
            <ns:code>Tom</ns:code><empty/><data><![CDATA[<&>]]></data></r>
            """
        let root = XMLElement(parsing: Array(text.utf8))
        #expect(root?.items("vpcSet").map { $0["id"]?.text } == ["a&bA", nil])
        #expect(root?["code"]?.text == "Tom" && root?["data"]?.text == "<&>" && root?.first("id") != nil)
        for broken in ["", "<", "<a>", "<a></b>", "text", "</a>", String(repeating: "<a>", count: 10_000)] {
            #expect(XMLElement(parsing: Array(broken.utf8)) == nil, "\(broken.prefix(10))")
        }
    }
}
